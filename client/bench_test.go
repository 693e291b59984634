package client_test

import "testing"

// BenchmarkSync syncs 1,000 contacts with the fake server, whose work is in the time of the first Sync too.
func BenchmarkSync(b *testing.B) {
	const n = 1000
	s := newFakeServer(b, map[string]string{"+14155550001": "one"})
	contacts := manyContacts(n)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			mustSync(b, testOptions(s), contacts)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/contact")
	})
	b.Run("next", func(b *testing.B) {
		o := testOptions(s)
		mustSync(b, o, contacts)
		for b.Loop() {
			mustSync(b, o, contacts)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/contact")
	})
}
