"""Trees of files, copied while their application runs and once more, exactly, when it has stopped."""
