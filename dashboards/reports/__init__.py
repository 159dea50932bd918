"""Reports of the trade from a snapshot: one self-contained HTML file each, and the same as PDF.

Belongs here: which report says what (packs), the sentences of what changed (sentences), how it looks (page, charts), its PDF (pdf). Does not belong here: what is asked of the
snapshot (dashboards.data), who gets it and when (orchestration).
"""
