//! Requests a page from a store and reads it.

use super::{
    job::{Job, Place},
    page::{self, Listed},
};
use crate::{
    discovery::store::{ListPage, ListRequest},
    error::{Error, ErrorKind, Result},
};

impl Place {
    /// Requests a page and reads it.
    pub(super) async fn list(&self, job: Job) -> Result<Listed> {
        match job {
            Job::Keys(keys) => {
                let prefix = match keys.children.as_slice() {
                    [child] => format!("{}{child}/", self.root),
                    _ => self.root.clone(),
                };
                let page = self.request(prefix, false, &keys.after, keys.token.as_deref()).await?;
                Ok(page::keys(self, keys, page))
            }
            Job::Children(children) => {
                let prefix = format!("{}{}", self.root, children.base());
                let page = self.request(prefix, true, &children.after, children.token.as_deref()).await?;
                Ok(page::children(self, children, page))
            }
        }
    }

    async fn request(&self, prefix: String, delimited: bool, after: &str, token: Option<&str>) -> Result<ListPage> {
        let start_after = (self.seeks && !after.is_empty()).then(|| format!("{}{after}", self.root));
        let within = Some(self.root.clone());
        let request = ListRequest { prefix, delimited, start_after, token: token.map(str::to_owned), within };
        let page = self.lister.page(request).await?;
        if token.is_some() && token == page.next_token.as_deref() {
            let message = format!("the listing of \"{}\" does not advance: the store repeats a page token", self.root);
            return Err(Error::new(ErrorKind::Unavailable, message).with_hint("Report it to the store's provider"));
        }
        Ok(page)
    }
}
