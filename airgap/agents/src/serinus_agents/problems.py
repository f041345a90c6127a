"""The one error that says an object of the cluster cannot be honoured."""


class BadObject(ValueError):
    """An object of the cluster asks for something that no rule here can express; the message says what."""
