package store

// WriteWaits says how often somebody has had to wait for a connection to write.
func (s *Store) WriteWaits() int64 { return s.write.Stats().WaitCount }
