"""The one module in which two versions differ."""

MARK = "installed"
