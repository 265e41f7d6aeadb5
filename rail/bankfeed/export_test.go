package bankfeed

// Canonical is decode and appendJSON, for the fuzz target.
func Canonical(body []byte) ([]byte, bool) {
	v, err := decode(body)
	if err != nil {
		return nil, false
	}
	return appendJSON(nil, v), true
}

// Hide is hide.
func Hide(body []byte) []byte { return hide(body) }
