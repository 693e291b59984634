// Package size says what a deployment of Kith needs: cores, memory, bandwidth and money for so many users, computed from what one
// operation was measured to take.
//
// It is arithmetic and measures nothing; kith bench size --check measures, and Compare holds the model to that. What goes over the
// wire is counted by the client's own planner, and the layout of the directory is given by the caller, who has the server's.
//
// It leaves out what a deployment needs besides Kith: load balancers, monitoring, people.
package size
