//! Requests a page from a store and reads it.

use super::{
    job::{Job, Place},
    page::{self, Listed},
};
use crate::{
    discovery::store::ListRequest,
    error::{Error, ErrorKind, Result},
};

impl Place {
    /// Requests a page and reads it.
    pub(super) async fn list(&self, job: Job) -> Result<Listed> {
        let start = |after: &str| (self.seeks && !after.is_empty()).then(|| format!("{}{after}", self.root));
        match job {
            Job::Keys(keys) => {
                let prefix = match keys.children.as_slice() {
                    [child] => format!("{}{child}/", self.root),
                    _ => self.root.clone(),
                };
                let request = ListRequest {
                    prefix,
                    delimited: false,
                    start_after: start(&keys.after),
                    token: keys.token.clone(),
                    within: Some(self.root.clone()),
                };
                let page = self.lister.page(request).await?;
                self.check_advance(keys.token.as_deref(), page.next_token.as_deref())?;
                Ok(page::keys(self, keys, page))
            }
            Job::Children(children) => {
                let prefix = format!("{}{}", self.root, children.base());
                let request = ListRequest {
                    prefix,
                    delimited: true,
                    start_after: start(&children.after),
                    token: children.token.clone(),
                    within: Some(self.root.clone()),
                };
                let page = self.lister.page(request).await?;
                self.check_advance(children.token.as_deref(), page.next_token.as_deref())?;
                Ok(page::children(self, children, page))
            }
        }
    }

    fn check_advance(&self, token: Option<&str>, next: Option<&str>) -> Result<()> {
        if token.is_none() || token != next {
            return Ok(());
        }
        let message = format!("the listing of \"{}\" does not advance: the store repeats a page token", self.root);
        Err(Error::new(ErrorKind::Unavailable, message).with_hint("Report it to the store's provider"))
    }
}
