//! Tests across the parts of the store: the contract on every implementation, power cuts, damage, full and
//! failing disks, kills, compare-and-swap, and atomicity. Each checker is shown to go red on a planted bug.

mod atomicity;
mod contract;
mod damage;
mod disk;
mod history;
mod kill;
mod model;
mod power;
mod swap;
