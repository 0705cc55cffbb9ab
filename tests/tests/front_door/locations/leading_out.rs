//! Ways out of a table's own location: links on a disk, and values that a URL reads otherwise than they are written.

use std::{path::Path, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::stream;
use glaux_engine::ErrorKind;
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
};
use libtest_mimic::{Failed, Trial};

use super::{instance, target};

pub(super) fn trials() -> Vec<Trial> {
    crate::trials_in_time![
        "locations";
        links_lead_nowhere_out_of_a_table,
        values_lead_nowhere_out_of_a_template,
    ]
}

async fn links_lead_nowhere_out_of_a_table() -> Result<(), Failed> {
    let (instance, ada) = instance().await;
    let lake = Path::new(instance.lake.url().trim_start_matches("file://")).to_owned();
    for path in ["open/linked/a.parquet", "open/linked/sub/b.parquet", "else/secret/a.parquet"] {
        instance.write(path, "SELECT 1 AS n").await;
    }
    #[cfg(unix)]
    for (target, link) in [
        ("else", "open/linked/out"),
        ("else/a.parquet", "open/linked/out.parquet"),
        ("open/linked/sub", "open/linked/in"),
        ("else/secret", "open/mine/p=9"),
        ("else/secret", "open/mine/l"),
    ] {
        std::os::unix::fs::symlink(lake.join(target), lake.join(link))?;
    }
    let linked = "CREATE EXTERNAL TABLE home.linked (n BIGINT) STORED AS PARQUET LOCATION '{lake}/open/linked/'";
    instance.try_run_as(&ada, linked).await?;
    // Its own two files, one of them by a link within the table too.
    assert_eq!(instance.try_run_as(&ada, "SELECT sum(n) FROM home.linked").await?.lines(), ["3"]);
    instance.try_run_as(&ada, "MSCK REPAIR TABLE home.mine").await?;
    assert_eq!(instance.run("SHOW PARTITIONS home.mine").await.lines(), ["p=1"]);
    instance.try_run_as(&ada, "ALTER TABLE home.mine ADD PARTITION (p = '9')").await?;
    for sql in ["SELECT n FROM home.mine WHERE p = '9'", "SELECT n FROM home.mine WHERE p <> '1'"] {
        assert!(instance.try_run_as(&ada, sql).await?.lines().is_empty(), "{sql}");
    }
    let keyed = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
        ("p", Arc::new(StringArray::from(vec!["9"]))),
    ])?;
    let ingest = instance.engine.ingest(&ada, target("home", "mine", None, keyed.schema()), stream::iter([Ok(keyed)]));
    assert_eq!(ingest.await.expect_err("a link").error.kind(), ErrorKind::Denied);
    assert_eq!(std::fs::read_dir(lake.join("else/secret"))?.count(), 1);
    let template = "ALTER TABLE home.mine SET TBLPROPERTIES ('projection.enabled' = 'true', 'projection.p.type' = 'injected', \
         'storage.location.template' = '{lake}/open/mine/${p}/')";
    instance.try_run_as(&ada, template).await?;
    let refused = instance.try_run_as(&ada, "SELECT n FROM home.mine WHERE p = 'l'").await.expect_err("a link").error;
    assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused:?}");
    assert_eq!(instance.try_run_as(&ada, "SELECT n FROM home.mine WHERE p = 'p=1'").await?.lines(), ["1"]);
    Ok(())
}

/// A URL's text says less than a URL: `\` is `/`, tabs and ends of lines are nothing, and `%2e` is a dot.
async fn values_lead_nowhere_out_of_a_template() -> Result<(), Failed> {
    let instance = Instance::start(Lake::on_s3().await).await;
    for path in ["public/a.parquet", "denied/a.parquet"] {
        instance.write(path, "SELECT CAST(1 AS BIGINT) AS n").await;
    }
    let Lake::S3(endpoint) = &instance.lake else { return Err("a lake on S3".into()) };
    let public = format!("{}/{BUCKET}/public", endpoint.url());
    instance
        .run(&format!(
            "CREATE EXTERNAL TABLE t (n BIGINT) PARTITIONED BY (k STRING) STORED AS PARQUET LOCATION '{public}/' TBLPROPERTIES \
             ('projection.enabled' = 'true', 'projection.k.type' = 'injected', 'storage.location.template' = '{public}/${{k}}')"
        ))
        .await;
    assert_eq!(instance.run("SELECT n FROM t WHERE k = 'a.parquet'").await.lines(), ["1"]);
    drop(endpoint.take_log());
    for value in [
        r"..\denied\a.parquet",
        r"x\..\..\denied/a.parquet",
        ".\t./denied/a.parquet",
        ".\n./denied/a.parquet",
        "%2e%2e/denied/a.parquet",
        ".%2E/denied/a.parquet",
        "..%2fdenied/a.parquet",
        "../denied/a.parquet",
    ] {
        let refused = instance.try_run(&format!("SELECT n FROM t WHERE k = '{value}'")).await.expect_err(value).error;
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{value:?}: {refused:?}");
    }
    assert!(endpoint.take_log().is_empty(), "no request was sent");
    Ok(())
}
