"""What to pull and how: declarations of the sources and the loading of their inbox files. Knows no Dagster and no dbt."""
