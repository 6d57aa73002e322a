"""How the page looks: its style sheet, in light, dark and on paper."""

STYLE = """
:root{color-scheme:light dark;--ink:#1c2024;--dim:#667079;--line:#e3e6ea;--back:#fbfcfd;--card:#fff;--alarm:#b45309;
--a0:#2f6fde;--a1:#1a936f;--a2:#d9822b;--a3:#8e5bd0;--a4:#c2415b;--a5:#5f7d8c;--plan:#a9b8cc}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#98a2ab;--line:#2a3037;--back:#121519;--card:#181c21;
--alarm:#f0a43c;--a0:#5b93f5;--a1:#3fbf95;--a2:#eba04f;--a3:#b189ea;--a4:#e5718a;--a5:#8fabb9;--plan:#4c5a6d}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:22px;margin:0}
h2{font-size:15px;margin:0 0 10px;color:var(--dim);font-weight:600}
header p{margin:4px 0 0;color:var(--dim);font-size:13px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:18px 0 0}
.figures{display:flex;flex-wrap:wrap;gap:12px 36px;margin:24px 0 0}
.figures div{display:flex;flex-direction:column}
.figures dd{margin:0;font-size:28px;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.2}
.figures dt{color:var(--dim);font-size:13px}
.alarm,.figures .alarm dd{color:var(--alarm)}
.chart{width:100%;height:auto;display:block}
.grid{stroke:var(--line)}
.axis{fill:var(--dim);font-size:11px;font-variant-numeric:tabular-nums}
rect.a0{fill:var(--a0)}rect.a1{fill:var(--a1)}rect.a2{fill:var(--a2)}
rect.a3{fill:var(--a3)}rect.a4{fill:var(--a4)}rect.a5{fill:var(--a5)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 6px;padding:0;font-size:13px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
i.a0{background:var(--a0)}i.a1{background:var(--a1)}i.a2{background:var(--a2)}
i.a3{background:var(--a3)}i.a4{background:var(--a4)}i.a5{background:var(--a5)}
table{width:100%;border-collapse:collapse;font-size:14px}
th{text-align:left;font-weight:400}
thead th{color:var(--dim);font-size:12px;padding:0 8px 6px;border-bottom:1px solid var(--line)}
tbody th,td,tfoot th{padding:5px 8px;vertical-align:top}
tbody+tbody tr:first-child>*{padding-top:16px}
tbody+tbody tr:first-child>.bar{padding-top:22px}
.repository th{font-weight:650;padding-left:8px}
tbody th[scope=row]{overflow-wrap:anywhere;min-width:180px}
tbody tr:hover td,tbody tr:hover th[scope=row]{background:color-mix(in srgb,var(--line) 45%,transparent)}
tfoot th,tfoot td{border-top:1px solid var(--line);font-weight:650}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{width:24%;min-width:90px;padding-top:11px}
.bar i{display:block;height:9px;background:var(--a0);border-radius:1px}
.bar i+i{margin-top:2px}
.bar i.plan{background:var(--plan)}
small{display:block;color:var(--dim);font-size:12px}
a{color:inherit;text-decoration-color:var(--dim);text-underline-offset:2px}
.state{font-size:11px;border:1px solid var(--line);border-radius:9px;padding:1px 7px;color:var(--dim);white-space:nowrap}
.state.open{color:var(--a1)}.state.merged{color:var(--a3)}.state.closed{color:var(--a4)}
.notes ul{margin:0;padding-left:18px;font-size:13px}
@media (max-width:640px){.bar,thead th:nth-child(3){display:none}main{padding:20px 10px}section{padding:14px 8px;overflow-x:auto}
.chart{overflow:visible}.axis{font-size:22px}.axis.spare{display:none}}
@media print{:root{--ink:#000;--dim:#555;--line:#ccc;--back:#fff;--card:#fff}body{font-size:11px}main{max-width:none;padding:0}
section{break-inside:auto;border:0;padding:0}tr,.chart{break-inside:avoid}thead{display:table-header-group}
tfoot{display:table-row-group}
.bar i,rect,.legend i{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
