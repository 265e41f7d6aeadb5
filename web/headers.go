package web

import (
	"net/http"
	"net/url"

	"github.com/thungan/thungan/internal/httpx"
)

// policy is the Content-Security-Policy of every page: nothing but the style
// that is written into it, and scripts, pictures and connections of our own
// origin. Forms go nowhere else either: browsers apply form-action to
// redirects too, so a form must never be answered by sending the visitor away.
func policy(styleHash string) string {
	return "default-src 'none'; style-src 'sha256-" + styleHash + "'; script-src 'self'; connect-src 'self'; " +
		"img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// Policy is the Content-Security-Policy of the set's pages.
func (s *Set) Policy() string { return s.policy }

// Protect sets the headers that every answer to a page's visitor carries.
//
// The referrer policy is same-origin: no other site learns an address of ours,
// and addresses hold keys. The stricter no-referrer would make browsers send
// "Origin: null" with our own forms, and http.CrossOriginProtection would take
// those without Sec-Fetch-Site (iOS before 16.4, any browser on plain http) for
// a forgery.
func (s *Set) Protect(h http.Header) {
	httpx.SecurityHeaders(h, s.policy)
	h.Set("Referrer-Policy", "same-origin")
}

// Linkable says whether an address that came from somebody else may be put
// into a page as a link: absolute, http or https, without user and password.
func Linkable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}
