package web

// Framed is the same pages for where each of them stands in a frame of another
// page of ours, or has one in it. Other sites still may not frame them.
func (s *Set) Framed() *Set {
	framed := *s
	framed.policy = policy(s.styleHash, Allowance{Framed: true})
	return &framed
}
