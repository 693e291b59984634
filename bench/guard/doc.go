// Package guard tells whether Kith has become slower than figures that are kept in a file.
//
// Times differ between machines, and on one machine from day to day. What is compared is ratios to a reference that ran in turns
// with Kith in the same run ([Of] names them), in which much of that cancels out. They are kept by engine, since the reference gains
// less from a processor than Kith does. A ratio is lost if it is more than [Tolerance] below the one that is kept.
//
// It measures nothing: the command kith bench check does. Left out are absolute times, and what no command of kith bench measures.
package guard
