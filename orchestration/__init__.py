"""csatlas: from the files that a service organisation's systems export to a published snapshot."""
