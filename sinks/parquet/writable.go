package parquet

import "syscall"

// writable says whether this process may make files in a folder.
func writable(dir string) bool { return syscall.Access(dir, 2 /* W_OK */) == nil }
