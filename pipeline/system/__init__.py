"""The machine: processors, memory limits, versions of packages, and stages that run ahead in threads."""
