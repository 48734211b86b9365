"""What proves that moves keep their promise: hosts, the shop on them, faults, and witnesses."""
