"""The page for people about pictures and rules: what it shows, its words, its rendering."""
