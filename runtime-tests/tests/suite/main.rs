//! One binary for every integration test: it links once and shows one summary.

mod adapter_rows;
mod attributes;
mod by_hand;
mod cancel_safety;
mod contracts;
mod corners;
mod fs;
mod io_rows;
mod layers;
mod life;
mod net;
mod observe;
mod pipe_listener;
mod pipe_rows;
mod pipe_scenarios;
mod pipe_table;
mod readme;
mod scenarios_a;
mod scenarios_b;
mod scenarios_c;
mod scenarios_h;
mod scenarios_i;
mod scenarios_j;
mod spawn_local;
mod stress;
mod time;
