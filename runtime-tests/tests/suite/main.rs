//! One binary for every integration test: it links once and shows one summary.

mod layers;
