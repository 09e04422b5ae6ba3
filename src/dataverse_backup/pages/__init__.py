"""The report as a folder of static pages, which any web server or browser can show; nothing outside is contacted."""

from dataverse_backup.pages.site import write_pages

__all__ = ["write_pages"]
