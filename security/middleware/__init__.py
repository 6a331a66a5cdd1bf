"""One file per promise about every request; `koshflow.settings.base.MIDDLEWARE` gives the order."""
