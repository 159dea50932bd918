"""The nightly job as Dagster sees it: the only importers of Dagster."""
