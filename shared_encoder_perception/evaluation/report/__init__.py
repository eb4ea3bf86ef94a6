"""One self-contained HTML page for people: tables, charts, pictures; readable without network."""
