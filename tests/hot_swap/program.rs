//! The same with the program, its files and its signals.
