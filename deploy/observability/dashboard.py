"""The Grafana dashboard. `make dashboard` writes it to dashboard.json, which Grafana reads."""

import sys
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery as DataqueryModel
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE = Path(__file__).with_suffix(".json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WORKERS = '{job="$job",instance=~"$instance"}'
PARTITIONS = '{job="$job",instance=~"$instance",topic=~"$topic"}'
PLACE = "{{topic}}[{{partition}}]"
WORKER = "{{instance}}"
RECORDS_PER_SECOND = "recps"  # Grafana's name of the unit


def rate(metric: str, by: str = "") -> str:
    """The rate of a counter over all workers, by a label if one is named."""
    return f"sum{f' by ({by}) ' if by else ''}(rate(login_pipeline_{metric}{WORKERS}[$__rate_interval]))"


def increase(metric: str) -> str:
    """How much a counter of each worker grew."""
    return f"sum by (instance) (increase(login_pipeline_{metric}{WORKERS}[$__rate_interval]))"


def mean(histogram: str) -> str:
    """The mean of a histogram. It is absent if nothing was observed."""
    return f"{rate(f'{histogram}_sum')} / ({rate(f'{histogram}_count')} > 0)"


def quantiles(histogram: str) -> dict[str, str]:
    """The quantiles of a histogram, by their names."""
    buckets = rate(f"{histogram}_bucket", "le")
    return {f"p{q * 100:g}": f"histogram_quantile({q}, {buckets})" for q in (0.5, 0.99)}


def by_partition(metric: str) -> dict[str, str]:
    """The greatest value of a gauge for each partition, as a partition that moves has two workers for a moment."""
    return {PLACE: f"max by (topic, partition) (login_pipeline_{metric}{PARTITIONS})"}


def thresholds(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colors, each from a value on. The first one starts at None."""
    return dashboard.ThresholdsConfig().steps([Threshold(value, color) for value, color in steps])


def targets(queries: dict[str, str]) -> list[Builder[DataqueryModel]]:
    """Queries for all values of the period, by their legends."""
    return [
        Dataquery().ref_id(ref_id).expr(expression).legend_format(legend).range()
        for ref_id, (legend, expression) in zip(ascii_uppercase, queries.items(), strict=False)
    ]


def figure(
    title: str, description: str, unit: str, queries: dict[str, str], colors: dashboard.ThresholdsConfig
) -> stat.Panel:
    """A panel of the first row: the values of now, large and in color."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .thresholds(colors)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(options.BigValueTextMode.VALUE_AND_NAME if len(queries) > 1 else options.BigValueTextMode.VALUE)
        .targets(targets(queries))
        .height(4)
        .span(4)
    )


def graph(title: str, description: str, unit: str, queries: dict[str, str]) -> timeseries.Panel:
    """A panel of lines over time."""
    legend = common.VizLegendOptions().display_mode(options.LegendDisplayMode.LIST)
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .fill_opacity(10)
        .legend(legend.placement(options.LegendPlacement.BOTTOM).show_legend(show_legend=True))
        .tooltip(common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI))
        .targets(targets(queries))
        .height(8)
        .span(8)
    )


def listing(title: str, description: str, expression: str) -> table.Panel:
    """A panel that lists the labels of an info metric."""
    hidden = {"Time": True, "Value": True}
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .height(8)
        .span(12)
        .with_target(Dataquery().ref_id("A").expr(expression).instant().format(PromQueryFormat.TABLE))
        .with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": hidden}))
    )


def label_variable(
    name: str, metric: str, label: str, description: str, *, one: bool = False
) -> dashboard.QueryVariable:
    """A variable with the values of a label. At first, all are selected, unless it takes only one."""
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    if one:
        return variable
    everything = VariableOption(text="All", value="$__all", selected=True)
    return variable.multi(multi=True).include_all(include_all=True).all_value(".*").current(everything)


def empty_dashboard() -> dashboard.Dashboard:
    """The dashboard's name, times and variables."""
    return (
        dashboard.Dashboard("User login pipeline")
        .uid("user-login-pipeline")
        .description("docs/operations.md says what to do if something is wrong here.")
        .tags(["kafka", "user-login-pipeline"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-30m", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(label_variable("job", "login_pipeline_build_info", "Job", "The installation", one=True))
        .with_variable(
            label_variable("instance", 'login_pipeline_build_info{job="$job"}', "Worker", "Host and port of the worker")
        )
        .with_variable(
            label_variable("topic", 'login_pipeline_lag_records{job="$job"}', "Topic", "The input topics' partitions")
        )
    )


STATE = [
    figure("Alerts", "Firing alerts of this pipeline.", "none",
           {"": 'count(ALERTS{alertname=~"LoginPipeline.*",alertstate="firing"}) or vector(0)'},
           thresholds((None, "green"), (1, "red"))),
    figure("Workers", "Workers that /ready calls ready, and those that Prometheus knows.", "none",
           {"ready": f"sum(login_pipeline_ready{WORKERS}) or vector(0)", "known": f"count(up{WORKERS})"},
           thresholds((None, "red"), (1, "green"))),
    figure("Lag", "How late the worst partition is; an alert fires above 60 s.", "s",
           {"": f"max(login_pipeline_lag_seconds{PARTITIONS})"},
           thresholds((None, "green"), (30, "orange"), (60, "red"))).no_value("no partition"),
    figure("Records in", "Records handled.", RECORDS_PER_SECOND, {"": rate("records_in_total")},
           thresholds((None, "blue"))),
    figure("Records out", "Records committed.", RECORDS_PER_SECOND, {"": rate("records_out_total")},
           thresholds((None, "blue"))),
    figure("Malformed", "Their share of the records.", "percentunit",
           {"": f"{rate('malformed_records_total')} / ({rate('records_in_total')} > 0)"},
           thresholds((None, "green"), (0.01, "orange"), (0.5, "red"))).no_value("no records"),
]  # fmt: skip

ROWS: dict[str, list[timeseries.Panel] | list[table.Panel]] = {
    "Records": [
        graph("Records in and out", "Records handled, and records committed.", RECORDS_PER_SECOND,
              {"in": rate("records_in_total"), "out": rate("records_out_total")}),
        graph("Malformed records by reason", "docs/records.md explains the reasons.", RECORDS_PER_SECOND,
              {"{{reason}}": rate("malformed_records_total", "reason"), "dead letters": rate("dead_letters_total")}),
        graph("Bytes in and out", "Values of the records.", "Bps",
              {"in": rate("bytes_in_total"), "out": rate("bytes_out_total")}),
    ],
    "Lag by partition": [
        graph("Lag in seconds", "Age of the last handled record, while others wait.", "s", by_partition("lag_seconds")),
        graph("Lag in records", "Records that wait.", "short", by_partition("lag_records")),
        graph("Stalled", "Time without progress, although records wait; an alert fires above 30 s.", "s",
              by_partition("stalled_seconds")),
    ],
    "Latency": [
        graph("Latency", "From a record's timestamp to its commit.", "s", quantiles("latency_seconds")),
        graph("Age of the newest record", "Of each worker's last batch; it grows while no records arrive.", "s",
              {WORKER: f"login_pipeline_newest_record_age_seconds{WORKERS}"}),
        graph("Records per batch", "The mean; large batches mean a backlog.", "short",
              {"records": mean("batch_records")}),
    ],
    "Checkpoints": [
        graph("Time of a checkpoint", "Delivery and commit.", "s", quantiles("checkpoint_seconds")),
        graph("Records per checkpoint", "The mean.", "short", {"records": mean("checkpoint_records")}),
        graph("Failures", "Checkpoints that failed, producers that were replaced, and records that expired unread.",
              "short", {
                  f"failed, {WORKER}": increase("checkpoint_failures_total"),
                  f"producer replaced, {WORKER}": increase("producers_replaced_total"),
                  f"expired, {PLACE}": f"sum by (topic, partition) (login_pipeline_expired_records_total{PARTITIONS})",
              }),
    ],
    "Workers": [
        graph("Partitions", "Of each worker.", "none", {WORKER: f"login_pipeline_assigned_partitions{WORKERS}"}),
        graph("Rebalances", "Assignments of partitions to each worker.", "short",
              {WORKER: increase("rebalances_total")}),
        graph("Restarts", "Of each worker, in 30 minutes.", "none",
              {WORKER: f"changes(process_start_time_seconds{WORKERS}[30m])"}),
        graph("CPU", "Cores in use; a worker uses one at most.", "none",
              {WORKER: f"rate(process_cpu_seconds_total{WORKERS}[$__rate_interval])"}),
        graph("Memory", "Resident memory; the container's limit is 512 MiB.", "bytes",
              {WORKER: f"process_resident_memory_bytes{WORKERS}"}),
        graph("Producer queue", "Records that the broker has not acknowledged.", "bytes",
              {WORKER: f"login_pipeline_producer_queue_bytes{WORKERS}"}),
    ],
    "Versions and settings": [
        listing("Versions", "Two lines mean that workers differ.",
                f"count by (version, quixstreams, librdkafka, openssl) (login_pipeline_build_info{WORKERS})"),
        listing("Settings in force", "Two lines of one name mean that workers differ.",
                f"count by (name, value) (login_pipeline_setting_info{WORKERS})"),
    ],
}  # fmt: skip


def build() -> str:
    """The dashboard, as JSON."""
    board = empty_dashboard()
    for figures in STATE:
        board.with_panel(figures)
    for title, panels in ROWS.items():
        board.with_row(dashboard.Row(title))
        for panel in panels:
            board.with_panel(panel)
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(f"{FILE.name}: {FILE.write_text(build())} characters\n")
