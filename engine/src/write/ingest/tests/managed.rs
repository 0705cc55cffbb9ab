//! Which files go with a table.

use std::{fs, path::Path};

use super::{Lake, batch, create, integers};

#[tokio::test]
async fn files_that_another_table_reaches_by_other_names_stay() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1]))]);
    let below = |folder: &Path| folder.parent().unwrap().display().to_string();
    for over in [
        "CREATE EXTERNAL TABLE u (id BIGINT) STORED AS PARQUET LOCATION '{link}/'",
        "CREATE EXTERNAL TABLE u (id BIGINT) PARTITIONED BY (k STRING) STORED AS PARQUET LOCATION '{lake}u/' TBLPROPERTIES \
         ('projection.enabled' = 'true', 'projection.k.type' = 'injected', 'storage.location.template' = '{below}/${k}/')",
    ] {
        lake.ingest(create("t", &rows), vec![rows.clone()]).await.unwrap();
        let files = lake.files();
        let folder = lake.folder.path().join(files.last().unwrap()).parent().unwrap().to_owned();
        let link = lake.folder.path().join("link");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&folder, &link).unwrap();
        let link = if cfg!(unix) { link } else { folder.clone() };
        let over = over.replace("{link}", &link.display().to_string()).replace("{below}", &below(&folder));
        lake.sql(&over).await;
        lake.sql("DROP TABLE t").await;
        assert_eq!(lake.files(), files, "{over}");
        lake.sql("DROP TABLE u").await;
        #[cfg(unix)]
        fs::remove_file(&link).unwrap();
    }
}
