"""The open enums: every member that a documented state of the API (0.2.0 to 0.11.0) names.

Members that the broker has withdrawn stay in the sets, because old rows keep them. A value outside a set is kept
as it is and counted by `models.drift`; it never fails a row.
"""

from typing import Annotated

from models.fields import ColumnKind, Members

_TEXT = ColumnKind("text")


def _members(values: str) -> Members:
    return Members(frozenset(values.split()))


SecurityType = Annotated[str, _TEXT, _members("COMMON_STOCK INDEX OPTION CASH PREFERRED_STOCK OTHER")]
PositionType = Annotated[str, _TEXT, _members("LONG SHORT LONG_CALL SHORT_CALL LONG_PUT SHORT_PUT")]
InstructionType = Annotated[str, _TEXT, _members("EXERCISE DO_NOT_EXERCISE CONTRARY_EXERCISE")]
InstructionStatus = Annotated[
    str,
    _TEXT,
    _members("SENT ACCEPTED REJECTED ENGINE_REJECTED CANCEL_REQUESTED CANCELLED CANCEL_FAILED UNKNOWN"),
]
Side = Annotated[str, _TEXT, _members("BUY SELL SELL_SHORT OTHER")]
OrderType = Annotated[str, _TEXT, _members("MARKET LIMIT STOP STOP_LIMIT TRAILING_STOP TRAILING_STOP_LIMIT OTHER")]
OrderStatus = Annotated[
    str,
    _TEXT,
    _members(
        "PENDING_NEW QUEUED PENDING_TRIGGER NEW PARTIALLY_FILLED FILLED CANCELED REJECTED EXPIRED PENDING_CANCEL "
        "PENDING_REPLACE REPLACED DONE_FOR_DAY STOPPED SUSPENDED CALCULATED OTHER"
    ),
]
TimeInForce = Annotated[
    str,
    _TEXT,
    _members(
        "DAY GOOD_TILL_CANCEL IMMEDIATE_OR_CANCEL FILL_OR_KILL GOOD_TILL_DATE AT_THE_OPENING AT_THE_CLOSE AT_OPEN "
        "AT_CLOSE GOOD_TILL_CROSSING AT_CROSSING GOOD_THROUGH_CROSSING OTHER"
    ),
]
QueueState = Annotated[str, _TEXT, _members("AWAITING_RELEASE RELEASED")]
TrailingOffsetType = Annotated[str, _TEXT, _members("PRICE BPS")]
AccountStatus = Annotated[str, _TEXT, _members("ACTIVE INACTIVE CLOSED")]
AccountType = Annotated[str, _TEXT, _members("CUSTOMER OTHER")]
AccountSubtype = Annotated[str, _TEXT, _members("CASH MARGIN OTHER")]
HolderKind = Annotated[str, _TEXT, _members("NATURAL_PERSON LEGAL_ENTITY OTHER")]
MarginType = Annotated[
    str,
    _TEXT,
    _members(
        "OTHER NONE PORTFOLIO_MARGIN RISK_BASED_HAIRCUT_BROKER_DEALER REG_T RISK_BASED_HAIRCUT_MARKET_MAKER CIRO "
        "FUTURES_NLV FUTURES_TOT_EQ"
    ),
]
ContractType = Annotated[str, _TEXT, _members("CALL PUT")]
ExerciseStyle = Annotated[str, _TEXT, _members("AMERICAN EUROPEAN")]
ListingType = Annotated[str, _TEXT, _members("STANDARD FLEX OTC")]
MarketType = Annotated[str, _TEXT, _members("us_equities us_options us_event_contracts")]
EventType = Annotated[str, _TEXT, _members("EARNINGS DIVIDEND STOCK_SPLIT IPO")]
