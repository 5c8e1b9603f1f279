"""Results as HTML, JSON, JUnit XML and a Markdown table."""
