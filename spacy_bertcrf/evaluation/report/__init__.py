"""Pages made from the table of judged entities."""
