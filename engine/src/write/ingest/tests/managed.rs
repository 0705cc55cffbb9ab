//! Which files go with a table.

use std::{fs, path::Path};

use super::{IfExists, IfNotExists, Lake, append, batch, create, integers, target, texts};

#[tokio::test]
async fn a_table_that_an_ingest_created_goes_with_its_files() {
    let lake = Lake::open().await;
    let rows = batch([("id", integers([1, 2]))]);
    for _ in 0..2 {
        lake.ingest(create("t", &rows), vec![rows.clone()]).await.unwrap();
        lake.ingest(append("t", &rows), vec![rows.clone()]).await.unwrap();
        assert_eq!(lake.files().len(), 2);
        lake.sql("DROP TABLE t").await;
        assert_eq!(lake.files(), [""; 0]);
    }
    // Its rows and columns are replaced.
    lake.ingest(create("t", &rows), vec![rows.clone()]).await.unwrap();
    let other = batch([("name", texts([Some("x")]))]);
    let replace = target("t", &other.schema(), IfNotExists::Create, IfExists::Replace);
    lake.ingest(replace, vec![other.clone()]).await.unwrap();
    assert_eq!(lake.sql("SELECT * FROM t").await, ["x"]);
    let [file] = lake.files().try_into().unwrap();
    // What another table reads, and what nobody's ingest wrote, stays.
    let folder = lake.folder.path().join(&file).parent().unwrap().to_owned();
    lake.sql(&format!("CREATE EXTERNAL TABLE u (name STRING) STORED AS PARQUET LOCATION '{}/'", folder.display())).await;
    lake.sql("DROP TABLE t").await;
    assert_eq!(lake.sql("SELECT * FROM u").await, ["x"]);
    lake.sql("DROP TABLE u").await;
    assert_eq!(lake.files(), [file]);
}

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
