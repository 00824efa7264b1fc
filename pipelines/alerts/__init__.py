"""Alerts: messages to people who are not watching.

In: one sentence, the day it is about, and what to do. Out: a line in alerts.log, and once per incident a message.
Stays out: deciding what is worth an alert. Nothing here stops the run that had something to say.
"""
