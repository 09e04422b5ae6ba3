"""Many machines: a Dask cluster does the tasks. Only what imports `distributed` needs the extra [cluster]."""
