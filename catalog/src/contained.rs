//! Work on bytes from outside by libraries that may panic over what they did not foresee: the panic becomes an error, and is not printed.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe},
};

thread_local! {
    /// How many calls of [`contained`] this thread is in.
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

/// Lets `work` run. What it has changed must not be used any more if it panics.
///
/// # Errors
/// What it panicked with.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let _inside = Inside::enter();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| text(payload.as_ref()).to_owned())
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}

/// Has this process print no panic that [`contained`] makes an error. For a program's first lines: a library leaves the hook alone.
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
