"""The browser in which the lab is tested: that of the report."""

from report.conftest import browser, one_browser

__all__ = ["browser", "one_browser"]
