"""The settings of Sphinx for the site; ``tools.site`` puts them beside the pages."""

project = "cimi-gateway"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "cimi-gateway"
html_copy_source = False
myst_heading_anchors = 4
# Pictures of states are for readers of the repository; a word that no highlighter knows is no mistake.
suppress_warnings = ["misc.highlighting_failure", "myst.header"]
