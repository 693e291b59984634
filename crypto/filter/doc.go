// Package filter holds a set of tags in 18 to 19 bits each, so that a device can look its contacts up by itself and the
// server learns nothing; and the list of changes that keeps such a set current.
//
// The set is a binary fuse filter with 16-bit fingerprints (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than
// Xor Filters", 2022). It answers yes for every tag that was put in, and for one other tag in 65,536: a yes has to be
// confirmed, by the label, before it is shown to anybody. It does not tell its tags to one who does not know them: of
// a tag it keeps 16 bits, mixed with those of others.
//
// # Wire form of a filter
//
// Numbers are big-endian.
//
//	0   4 bytes   "kbf1"
//	4   8 bytes   seed
//	12  4 bytes   segment length L, a power of two up to 2^18
//	16  4 bytes   segment count C, at least 1; (C+2)*L is below 2^32
//	20  2*(C+2)*L bytes   fingerprints F[0], F[1], ..., 2 bytes each
//
// A filter of no tags has seed, L and C zero and no fingerprints: 20 bytes. It contains nothing.
//
// # Asking
//
// The key of a tag is the number in its bytes 8 to 15; bytes from 0 on choose the shard and the bucket, and would be nearly
// constant within one. With 64-bit arithmetic that wraps around, and >> filling up with zeros:
//
//	h = key + seed
//	h = (h xor h>>33) * 0xff51afd7ed558ccd
//	h = (h xor h>>33) * 0xc4ceb9fe1a85ec53
//	h = h xor h>>33
//
//	p0 = the upper 64 bits of the 128-bit product h * (C*L)
//	p1 = (p0 + L)   xor ((h>>18) mod L)
//	p2 = (p0 + 2*L) xor (h mod L)
//	fingerprint = the lowest 16 bits of (h xor h>>32)
//
// The filter contains the tag if F[p0] xor F[p1] xor F[p2] = fingerprint. All three positions exist for every h, which is
// what the bounds above are for. testdata/kbf1.json has filters with tags that they contain and do not.
//
// # Wire form of changes
//
// Entries of 9 bytes, back to back: "+" for a tag that became visible or "-" for one that no longer is, and bytes 0 to 7
// of the tag. The last entry of a tag holds, over earlier ones and over the filter.
//
// # What it leaves out
//
// Which tags there are, how they are divided into shards, and where filters come from: server/snapshot builds them. How a
// filter is built is not fixed by the wire form; Build uses github.com/FastFilter/xorfilter.
//
// Timing: tags are public once made, and nothing here is constant time.
package filter
