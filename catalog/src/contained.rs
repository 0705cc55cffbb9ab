//! Contains panics of libraries that decode untrusted bytes: a panic becomes an error, and is not printed.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
};

thread_local! {
    /// The number of nested calls of [`contained`] on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Runs `work`. If it panics, what it has changed must not be used any more.
///
/// # Errors
/// The text of the panic.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let _inside = Inside::enter();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| text(payload.as_ref()).to_owned())
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// Stops this process from printing panics that [`contained`] turns into errors. For the start of a program: a library should not set the hook.
pub fn silence_contained() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if DEPTH.get() == 0 {
            print(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let index = std::hint::black_box(7);
        let error = contained(|| [1, 2, 3][index]).unwrap_err();
        assert!(error.contains("index out of bounds"), "{error}");
        assert_eq!(contained(|| contained(|| panic!("inner")).unwrap_err() + "!").unwrap(), "inner!");
        assert_eq!(DEPTH.get(), 0);
        assert_eq!(contained(|| 5), Ok(5));
    }
}
