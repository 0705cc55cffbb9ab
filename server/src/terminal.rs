//! The terminal: how large it is and whether it takes colours, the programs that get it for a while (a pager, an editor), and its settings
//! while the shell holds it.

mod color;
mod held;
mod keys;
mod program;
mod screen;

pub(crate) use color::{ColorChoice, Paint, choose_colors, paint, stderr_is_colored, stdout_is_colored};
pub(crate) use held::{Held, Lent, editing, input, lend, restore, suspend};
pub(crate) use keys::{ENTERED, INVALID};
pub(crate) use program::{command, is_there};
pub(crate) use screen::{Screen, is_dumb};
