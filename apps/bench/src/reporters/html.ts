import type { Report } from "@ringside/strategy";
export function htmlReport(report: Report): string { return JSON.stringify(report); }
