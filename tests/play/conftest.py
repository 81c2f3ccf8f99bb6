"""The browser in which the lab is tested: that of the report."""

from report.conftest import browser

__all__ = ["browser"]
