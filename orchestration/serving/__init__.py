"""From the warehouse to the published snapshot: catalogue, build, gate, publication. Knows no Dagster."""
