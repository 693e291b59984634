package load

import "fmt"

// areaCodes are of the United States.
var areaCodes = []int{
	201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 301, 302, 303, 304, 305, 307, 308, 309,
	310, 312, 313, 314, 315, 316, 317, 318, 319, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 501,
	502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518, 601, 602, 603, 605, 606, 607, 608, 609, 610, 612, 614,
	615, 616, 617, 618, 619, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719, 801, 802, 803, 804, 805,
}

// linesPerArea is how many numbers there are in one exchange.
const linesPerArea = 10_000

// Numbers is how many different numbers there are.
var Numbers = linesPerArea * len(areaCodes)

// number returns the i-th number, below Numbers. All are of the exchange 555, in which no subscriber has a line: a load
// that is sent to the wrong server registers nobody.
func number(i int) string {
	return fmt.Sprintf("+1%d555%04d", areaCodes[i%len(areaCodes)], i/len(areaCodes))
}

// labelOf is what the i-th number is registered as.
func labelOf(i int) string { return fmt.Sprintf("load-%d", i) }
