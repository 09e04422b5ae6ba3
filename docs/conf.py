"""How the site is made of these pages: ``scripts/docs``. Why so: decisions/0008-documentation-as-a-site.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataverse_backup import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "dataverse-backup"
author = "the authors of dataverse-backup"
project_copyright = author
version = release = __version__

extensions = ["myst_parser"]
myst_heading_anchors = 3
nitpicky = True
smartquotes = False  # two hyphens are an option, not a dash

html_theme = "furo"
html_title = f"{project} {version}"
html_logo = html_favicon = "../src/dataverse_backup/pages/assets/icon.svg"
html_static_path = ["assets"]
html_css_files = ["site.css"]
html_copy_source = False
html_use_index = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0f766e", "color-brand-content": "#0b5fae"},  # as in the report
    "dark_css_variables": {"color-brand-primary": "#4fd1b8", "color-brand-content": "#7cb8f5"},
}


def setup(app: Sphinx) -> None:
    """Mend what the theme writes, after it has done so."""
    app.connect("html-page-context", _mend, priority=900)


def _mend(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """As WAI-ARIA wants it: headings have a level, and what scrolls can be scrolled with a keyboard."""
    del app, page, template, tree
    navigation, body = context.get("furo_navigation_tree", ""), context.get("body", "")
    context["furo_navigation_tree"] = navigation.replace('role="heading"', 'role="heading" aria-level="2"')
    context["body"] = body.replace("<pre>", '<pre tabindex="0">').replace(
        '<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'
    )
