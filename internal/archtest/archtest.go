// Package archtest has no code of its own: its test keeps the packages apart that must not know each other.
package archtest
