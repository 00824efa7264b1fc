"""The broker over HTTP: reading (client) and, apart from it, trading."""
