"""An engine with real files and no containers, on which the fault tests run."""
