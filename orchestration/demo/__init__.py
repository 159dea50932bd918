"""The built-in company: a telecom that exists only as deliveries to the inbox, with a truth that is known.

`generate` fills an inbox, `next_day` delivers one day more. The pipeline never reads the truth that is written beside.
"""

from orchestration.demo.company import DemoError, GeneratedCompany, generate, next_day

__all__ = ["DemoError", "GeneratedCompany", "generate", "next_day"]
