"""Programs that use the package under conditions a test process cannot take upon itself."""
